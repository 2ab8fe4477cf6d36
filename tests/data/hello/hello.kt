fun main(a: Array<String>) { println("é ${a.joinToString("|")} ${readln()}"); System.err.println("err"); kotlin.system.exitProcess(3) }
