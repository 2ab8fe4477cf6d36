print "é $ARGV[0]|$ARGV[1] ", scalar <STDIN>;
print STDERR "err\n";
exit 3;
