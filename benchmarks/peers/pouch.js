// PouchDB on LevelDB, told what to do by lines of JSON on the standard input; each is answered
// by a line of JSON: the seconds it took, and a count to check it by.  The seconds cover the
// database's work alone: before the clock starts, documents are parsed and databases opened.
'use strict';

const fs = require('fs');
const readline = require('readline');
const PouchDB = require('pouchdb');

PouchDB.plugin(require('pouch-resolve-conflicts'));

const open = new Map();

// A folder of LevelDB, or the URL of a CouchDB's database.
function database(place) {
  if (!open.has(place)) {
    open.set(place, new PouchDB(place, { adapter: place.startsWith('http') ? 'http' : 'leveldb' }));
  }
  return open.get(place);
}

async function timed(work) {
  const start = process.hrtime.bigint();
  const count = await work();
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, count };
}

function documentsOf(file) {
  return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

const commands = {
  async versions() {
    return {
      node: process.versions.node,
      pouchdb: PouchDB.version,
      leveldown: require('leveldown/package.json').version,
    };
  },

  async write({ file, into, batch, new_edits }) {
    const docs = documentsOf(file);
    const batches = [];
    for (let i = 0; i < docs.length; i += batch) {
      batches.push(docs.slice(i, i + batch));
    }
    const db = database(into);
    await db.info();
    return timed(async () => {
      let refused = 0;
      for (const part of batches) {
        const rows = await db.bulkDocs(part, { new_edits });
        refused += rows.filter((row) => row.error).length;
      }
      return refused;
    });
  },

  async replicate({ source, target, batch }) {
    const [from, to] = [database(source), database(target)];
    await Promise.all([from.info(), to.info()]);
    return timed(async () => {
      const done = await from.replicate.to(to, batch ? { batch_size: batch } : {});
      return done.doc_write_failures;
    });
  },

  async conflicted_by_all_docs({ database: folder }) {
    return timed(async () => {
      const page = await database(folder).allDocs({ include_docs: true, conflicts: true });
      return page.rows.filter((row) => row.doc._conflicts).length;
    });
  },

  async conflicted_by_changes({ database: folder }) {
    return timed(async () => {
      const page = await database(folder).changes({ style: 'all_docs' });
      return page.results.filter((row) => row.changes.length > 1).length;
    });
  },

  // The script that everybody writes: some documents at once, each read, merged and resolved.
  async resolve({ database: place, at_once }) {
    const db = database(place);
    const page = await db.allDocs({ include_docs: true, conflicts: true });
    const docs = page.rows.map((row) => row.doc).filter((doc) => doc._conflicts);
    const merge = (a, b) => ({ ...b, status: a.status === 'done' ? a.status : b.status });
    let next = 0;
    const work = async () => {
      while (next < docs.length) {
        await db.resolveConflicts(docs[next++], merge);
      }
    };
    return timed(async () => {
      await Promise.all(Array.from({ length: at_once }, work));
      return docs.length;
    });
  },

  async drop({ database: folder }) {
    const db = database(folder);
    const { doc_count: count } = await db.info();
    await db.destroy();
    open.delete(folder);
    return { seconds: 0, count };
  },
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { command, ...details } = JSON.parse(line);
    let answer;
    try {
      answer = await commands[command](details);
    } catch (problem) {
      answer = { error: String((problem && problem.stack) || JSON.stringify(problem)) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await Promise.all([...open.values()].map((db) => db.close()));
}

main();
