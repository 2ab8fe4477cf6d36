// Comes up with the interpreter and waits on standard input for one program: 32 bytes that say how long the arguments and the
// tar are, the arguments, the tar. Then it makes itself look like `node FILE ARGS...` and lets Node run it.
'use strict';
{
  const fs = require('fs');
  const Module = require('module');
  // What the first file and the first line of output would load, loaded before there is a program to wait for it.
  fs.writeFileSync(__filename, '');
  module.constructor._extensions['.js'](new Module(__filename), __filename);
  require('util').inspect([{}, 'a', new Error().stack]);
  for (const stream of [process.stdout, process.stderr]) stream.write('');
  fs.unlinkSync(__filename);
  fs.writeSync(2, '\x1eready\x1e');
  const take = (length) => {
    const taken = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const read = fs.readSync(0, taken, at, length - at, null);
      if (read === 0) process.reallyExit(0);
      at += read;
    }
    return taken;
  };
  const lengths = take(32).toString('latin1').trim().split(/\s+/).map(Number);
  const argv = take(lengths[0]).toString('utf8').split('\0');
  const tar = take(lengths[1]);
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const size = parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    fs.writeFileSync(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  const path = `${process.cwd()}/${argv[0]}`;
  process.argv = [process.argv[0], path, ...argv.slice(1)];
  delete require.cache[__filename];
  module.children.length = 0;
  // Called by Node itself, so that no frame of this file is in the program's stacks.
  process.nextTick(Module.runMain, path);
}
