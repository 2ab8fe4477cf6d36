// Says which Lua files are not formatted as stylua.toml of the plugin wants, or formats them with --write.
// usage: node format.cjs FOLDER_OF_STYLUA PLUGIN [--write] FILE...

const fs = require('node:fs');
const path = require('node:path');
const [folder, plugin, ...rest] = process.argv.slice(2);
const write = rest[0] === '--write';
const files = write ? rest.slice(1) : rest;
const stylua = require(path.join(folder, 'node_modules/@johnnymorganz/stylua'));

const text = fs.readFileSync(path.join(plugin, 'stylua.toml'), 'utf8');
const chosen = Object.fromEntries([...text.matchAll(/^(\w+) = "?(\w+)"?$/gm)].map((match) => match.slice(1)));
let wrong = 0;
for (const file of files) {
  const config = stylua.Config.new();
  config.column_width = Number(chosen.column_width);
  config.indent_width = Number(chosen.indent_width);
  config.indent_type = stylua.IndentType[chosen.indent_type];
  config.quote_style = stylua.QuoteStyle[chosen.quote_style];
  config.syntax = stylua.LuaVersion.LuaJIT;
  const source = fs.readFileSync(file, 'utf8');
  const formatted = stylua.formatCode(source, config, undefined, stylua.OutputVerification.Full);
  if (formatted === source) continue;
  if (write) {
    fs.writeFileSync(file, formatted);
  } else {
    console.error(`not formatted: ${file}`);
    wrong += 1;
  }
}
process.exitCode = wrong === 0 ? 0 : 1;
