import std.stdio;
int main(string[] a) { write("é ", a[1], "|", a[2], " ", readln()); stderr.writeln("err"); return 3; }
