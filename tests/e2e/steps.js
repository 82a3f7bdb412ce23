// The steps of flow.js in Node.js: a line of JSON in asks for one, a line of JSON out answers.
'use strict';
const readline = require('readline');
const PouchDB = require('pouchdb')
  .plugin(require('pouchdb-adapter-memory')).plugin(require('pouchdb-find'));
const steps = require('./flow.js')(PouchDB);

const told = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { step, given } = JSON.parse(line);
    try {
      told({ answer: (await steps[step](given)) ?? null });
    } catch (problem) { // PouchDB's errors are no Error objects
      told({ error: step + ': ' + (problem.stack || '') + ' ' + JSON.stringify(problem) });
    }
  }
}

main().then(() => process.exit(0));
