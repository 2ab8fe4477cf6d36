a <- commandArgs(trailingOnly = TRUE)
cat("é", paste(a, collapse = "|"), readLines("stdin", 1), "\n")
message("err")
quit(status = 3)
