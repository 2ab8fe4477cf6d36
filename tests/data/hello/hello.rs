use std::io::Read;
fn main() { let mut s = String::new(); std::io::stdin().read_to_string(&mut s).unwrap(); let a: Vec<String> = std::env::args().skip(1).collect(); println!("é {} {}", a.join("|"), s); eprintln!("err"); std::process::exit(3); }
