BEGIN { a = ARGV[1] "|" ARGV[2]; ARGC = 1 } { print "é", a, $0; print "err" > "/dev/stderr"; exit 3 }
