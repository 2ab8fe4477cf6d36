puts "é #{ARGV.join("|")} #{$stdin.gets}"
warn "err"
exit 3
