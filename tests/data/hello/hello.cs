using System;
class Hello { static int Main(string[] a) { Console.WriteLine("é " + a[0] + "|" + a[1] + " " + Console.ReadLine()); Console.Error.WriteLine("err"); return 3; } }
