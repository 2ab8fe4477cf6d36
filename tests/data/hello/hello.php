<?php
echo "é ", $argv[1], "|", $argv[2], " ", fgets(STDIN);
fwrite(STDERR, "err\n");
exit(3);
