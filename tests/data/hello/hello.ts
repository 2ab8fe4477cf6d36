import { readFileSync } from "node:fs";
const input: string = readFileSync(0, "utf8");
console.log("é", Deno.args.join("|"), input);
console.error("err");
Deno.exit(3);
