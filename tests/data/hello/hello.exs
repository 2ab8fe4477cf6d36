IO.puts("é #{Enum.join(System.argv(), "|")} #{IO.gets("")}")
IO.puts(:stderr, "err")
System.halt(3)
