print("é", arg[1] .. "|" .. arg[2], io.read())
io.stderr:write("err\n")
os.exit(3)
