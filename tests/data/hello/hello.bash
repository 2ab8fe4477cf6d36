read -r input
words=("$@")
echo "é ${words[0]}|${words[1]} $input"
echo err >&2
exit 3
