import os, strutils
echo "é ", commandLineParams().join("|"), " ", readLine(stdin)
stderr.writeLine "err"
quit(3)
