// Devices that edit offline and sync live, told what to do step by step.  The same file runs in
// Node.js (steps.js) and in a browser's page; `flow(PouchDB)` gives the steps by name.
'use strict';

// eslint-disable-next-line no-unused-vars
function flow(PouchDB) {
  const devices = {}; // name -> PouchDB
  const syncs = {}; // name -> what syncs it, and what went wrong
  let remote;

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const until = async (what, seconds, holds) => {
    const deadline = Date.now() + seconds * 1000;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > deadline) throw new Error('waited in vain until ' + what);
      await pause(50);
    }
  };
  const bytes = (seed, length) => {
    const content = new Uint8Array(length);
    for (let i = 0; i < length; i++) content[i] = (seed * 31 + i * 7 + (i >> 8)) & 255;
    return typeof Buffer === 'undefined'
      ? new Blob([content], { type: 'application/octet-stream' }) : Buffer.from(content);
  };
  const settled = (replication) => new Promise((resolve, reject) => {
    replication.on('complete', resolve).on('error', reject).on('denied', reject);
  });
  const written = (rows) => {
    const refused = rows.filter((row) => row.error);
    if (refused.length) throw new Error('refused: ' + JSON.stringify(refused[0]));
    return rows.length;
  };

  return {
    // url: of the database, which PouchDB creates; devices: name -> options of its own database
    async open(given) {
      remote = new PouchDB(given.url);
      for (const [name, options] of Object.entries(given.devices)) {
        devices[name] = new PouchDB(name, options);
      }
      return (await remote.info()).doc_count;
    },

    async fill({ device, prefix, count }) {
      for (let from = 0; from < count; from += 1000) {
        const docs = [];
        for (let n = from; n < Math.min(count, from + 1000); n++) {
          const _id = prefix + String(n).padStart(6, '0');
          docs.push({ _id, n, text: 'made on ' + device, deep: { list: [n, null, 'é中😀'] } });
        }
        written(await devices[device].bulkDocs(docs));
      }
    },

    // Every change on these documents is a revision of its own on each device: a conflict.
    async edit({ device, ids, text }) {
      const { rows } = await devices[device].allDocs({ keys: ids, include_docs: true });
      return written(await devices[device].bulkDocs(rows.map(({ doc }) => ({ ...doc, text }))));
    },

    async remove({ device, ids }) {
      const { rows } = await devices[device].allDocs({ keys: ids });
      return written(await devices[device].bulkDocs(
        rows.map(({ id, value }) => ({ _id: id, _rev: value.rev, _deleted: true }))
      ));
    },

    // contents: attachment -> [seed, length], or null to take it away
    async attach({ device, id, contents }) {
      const db = devices[device];
      const doc = await db.get(id).catch(() => ({ _id: id }));
      doc._attachments = doc._attachments || {};
      for (const [name, content] of Object.entries(contents)) {
        if (content === null) {
          delete doc._attachments[name];
        } else {
          doc._attachments[name] = { content_type: 'application/octet-stream', data: bytes(...content) };
        }
      }
      await db.put(doc);
    },

    start_sync({ device }) {
      const state = { problems: [], waits: 0 };
      const options = {
        live: true, retry: true, batch_size: 1000,
        back_off_function: () => { state.waits++; return 100; },
      };
      state.sync = devices[device].sync(remote, options)
        .on('denied', (problem) => state.problems.push(problem))
        .on('error', (problem) => state.problems.push(problem));
      syncs[device] = state;
    },

    // How often it had to try again; whatever else went wrong is an error.
    async stop_sync({ device }) {
      const { sync, problems, waits } = syncs[device];
      const ended = Promise.all([sync.push, sync.pull].map((one) => one.catch(() => null)));
      sync.cancel();
      await ended;
      if (problems.length) throw new Error(device + ': ' + JSON.stringify(problems));
      return waits;
    },

    // Once, only some documents.
    async pull_some({ device, ids }) {
      await settled(devices[device].replicate.from(remote, { doc_ids: ids }));
    },

    async sync_once({ device }) {
      await settled(devices[device].sync(remote, { batch_size: 1000 }));
    },

    async push_once({ device }) {
      await settled(devices[device].replicate.to(remote));
    },

    async retries({ device, seconds }) {
      await until(device + ' tries again', seconds, async () => syncs[device].waits > 1);
    },

    // Each device says where it stands; whoever has read that has all that came before.
    async meet({ names, round, seconds }) {
      const ids = names.map((name) => 'mark-' + round + '-' + name);
      for (const [place, name] of names.entries()) await devices[name].put({ _id: ids[place] });
      for (const name of names) {
        await until(name + ' knows of the others', seconds, async () => {
          const { rows } = await devices[name].allDocs({ keys: ids });
          return rows.every((row) => row.id);
        });
      }
    },

    // All leaves of all documents: id -> [document with its history, …]
    async leaves({ device }) {
      const db = devices[device];
      const shown = {};
      const wanted = [];
      const { results } = await db.changes({ style: 'all_docs', since: 0, include_docs: true });
      for (const { id, changes, doc } of results) {
        shown[id] = [];
        if (changes.length === 1 && doc._rev === changes[0].rev && doc._rev.startsWith('1-')) {
          shown[id].push({ ...doc, _revisions: { start: 1, ids: [doc._rev.slice(2)] } });
        } else {
          wanted.push(...changes.map(({ rev }) => ({ id, rev })));
        }
      }
      for (let from = 0; from < wanted.length; from += 500) {
        const docs = wanted.slice(from, from + 500);
        for (const { id, docs: found } of (await db.bulkGet({ docs, revs: true })).results) {
          for (const { ok } of found) {
            if (!ok) throw new Error('a leaf of ' + id + ' cannot be read');
            shown[id].push(ok);
          }
        }
      }
      return shown;
    },

    // How many bytes can really be read.
    async attachment({ device, id, name, rev }) {
      const content = await devices[device].getAttachment(id, name, rev ? { rev } : {});
      return content.size === undefined ? content.length : content.size;
    },

    // The same query asked of the device and of the server: the ids that each finds.
    async find({ device, index, query }) {
      const found = [];
      for (const db of [devices[device], remote]) {
        await db.createIndex(index);
        const { docs, warning } = await db.find(query);
        if (warning) throw new Error(warning);
        found.push(docs.map((doc) => doc._id));
      }
      return found;
    },

    async close() {
      await Promise.all(Object.values(devices).map((db) => db.close()));
    },
  };
}

if (typeof module !== 'undefined') module.exports = flow;
