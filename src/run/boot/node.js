// Node was started as `node FILE`, and loads this before it looks for FILE, as NODE_OPTIONS says. It takes away every trace
// of that and waits on standard input for one program: 32 bytes that say how long the arguments and the tar are, the
// arguments, the tar. Then it returns, and Node goes on to FILE as it always does. The file itself stays where it is, since
// worker threads load it again, and leave it at once.
'use strict';
delete require.cache[__filename];
if (require('worker_threads').isMainThread) {
  const fs = require('fs');
  const Module = require('module');
  const options = process.env.NODE_OPTIONS.replace(/^--require=\S+ ?/, '');
  if (options) process.env.NODE_OPTIONS = options;
  else delete process.env.NODE_OPTIONS;
  // What the first line of output would load, loaded before there is a program to wait for it.
  require('net');
  require('tty');
  require('util').inspect([{}, 'a', new Error().stack]);
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
  const words = take(lengths[0]).toString('utf8').split('\0');
  const tar = take(lengths[1]);
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const size = parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    fs.writeFileSync(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  process.argv.push(...words.slice(1));
  for (const key of Object.keys(Module._pathCache)) delete Module._pathCache[key];
}
