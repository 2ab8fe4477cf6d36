program hello
  character(len=9) :: a, b, s
  call get_command_argument(1, a)
  call get_command_argument(2, b)
  read *, s
  print *, "é ", trim(a), "|", trim(b), " ", s
  write (0, "(a)") "err"
  stop 3
end program
