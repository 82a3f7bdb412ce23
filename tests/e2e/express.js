// pouchdb-server in memory: node express.js FOLDER MODE.  Prints its port when it listens on
// 127.0.0.1, and ends when its standard input does.
'use strict';
const fs = require('fs');
const path = require('path');
const PouchDB = require('pouchdb').plugin(require('pouchdb-adapter-memory'));

const [folder, mode] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
const app = require('express')();
app.use('/', require('express-pouchdb')(
  PouchDB.defaults({ prefix: path.resolve(folder) + path.sep, adapter: 'memory' }),
  { mode, configPath: path.join(folder, 'config.json'), logPath: path.join(folder, 'log.txt') }
));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
