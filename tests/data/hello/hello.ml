let () = Printf.printf "é %s|%s %s\n%!" Sys.argv.(1) Sys.argv.(2) (read_line ()); prerr_endline "err"; exit 3
