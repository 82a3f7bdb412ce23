// express-pouchdb on LevelDB: node express_pouchdb.js FOLDER MODE.  Prints its port when it
// listens on 127.0.0.1, and ends when its standard input does.
'use strict';

const fs = require('fs');
const path = require('path');
const express = require('express');
const PouchDB = require('pouchdb');

const [folder, mode] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
const app = express();
app.use('/', require('express-pouchdb')(
  PouchDB.defaults({ prefix: path.resolve(folder) + path.sep, adapter: 'leveldb' }),
  {
    mode,
    configPath: path.join(folder, 'config.json'),
    logPath: path.join(folder, 'log.txt'),
  }
));
const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(JSON.stringify({
    port: server.address().port,
    version: require('express-pouchdb/package.json').version,
  }) + '\n');
});
process.stdin.resume().on('end', () => process.exit(0));
