// PouchDB as a client of the server at argv[2]: edits offline, syncs live, makes a conflict.
// Prints one JSON object of what it saw; any failure ends it with a message.
'use strict';
const PouchDB = require('pouchdb').plugin(require('pouchdb-adapter-memory')).plugin(require('pouchdb-find'));

const [url, count] = [process.argv[2], Number(process.argv[3])];
const caughtUp = (sync) => new Promise((resolve, reject) => {
  sync.on('complete', resolve).on('error', reject).on('denied', reject);
});
const until = async (what, holds) => {
  for (let i = 0; i < 400; i++) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('waited in vain until ' + what);
};
const leaves = async (db, id) => {
  const found = await db.get(id, { open_revs: 'all', revs: true });
  return found.map(({ ok }) => [ok._rev, !!ok._deleted, ok.text || null]).sort();
};

async function main() {
  const remote = new PouchDB(url + '/notes');
  const phone = new PouchDB('phone', { adapter: 'memory' });
  const laptop = new PouchDB('laptop', { adapter: 'memory' });
  const seen = {};

  // Documents go up from one device and come down to the other.
  const docs = [...Array(count).keys()].map((n) => ({ _id: 'n' + String(n).padStart(6, '0'), n, text: 'note ' + n }));
  await phone.bulkDocs(docs);
  await caughtUp(phone.replicate.to(remote));
  await caughtUp(laptop.replicate.from(remote));
  seen.documents = (await laptop.info()).doc_count;

  // An attachment, too.
  await phone.putAttachment('picture', 'p.bin', Buffer.from('ab'.repeat(60000), 'hex'), 'application/octet-stream');
  await caughtUp(phone.sync(remote));
  await caughtUp(laptop.sync(remote));
  seen.attachment = (await laptop.getAttachment('picture', 'p.bin')).length;

  // Both edit one document offline; after the sync everybody has the same leaves.
  for (const [db, text] of [[phone, 'from the phone'], [laptop, 'from the laptop']]) {
    await db.put({ ...(await db.get('n000000')), text });
  }
  const doomed = await laptop.get('n000001');
  await laptop.remove(doomed);
  await phone.put({ ...(await phone.get('n000001')), text: 'edited while deleted' });
  for (const db of [phone, laptop, phone]) await caughtUp(db.sync(remote));
  for (const id of ['n000000', 'n000001']) {
    const everywhere = await Promise.all([phone, laptop, remote].map((db) => leaves(db, id)));
    if (new Set(everywhere.map((found) => JSON.stringify(found))).size !== 1) {
      throw new Error('leaves differ: ' + JSON.stringify(everywhere));
    }
    seen[id] = everywhere[0];
  }
  seen.conflicts = (await remote.get('n000000', { conflicts: true }))._conflicts.length;

  // Live sync in both directions, with retry.
  const syncs = [phone, laptop].map((db) => db.sync(remote, { live: true, retry: true }));
  await phone.put({ _id: 'live', text: 'hello' });
  await until('the laptop has the phone\'s note', async () => (await laptop.get('live')).text === 'hello');
  await laptop.put({ ...(await laptop.get('live')), text: 'hello back' });
  await until('the phone has the answer', async () => (await phone.get('live')).text === 'hello back');
  syncs.forEach((sync) => sync.cancel());
  seen.live = true;

  // Mango, answered by the server.
  await remote.createIndex({ index: { fields: ['n'] } });
  const found = await remote.find({ selector: { n: { $gte: count - 3 } }, sort: ['n'], fields: ['n'] });
  seen.found = found.docs.map((doc) => doc.n);

  // What needs JavaScript on the server is refused with a reason.
  await remote.put({ _id: '_design/v', views: { all: { map: 'function (doc) { emit(doc._id); }' } } });
  seen.view = await remote.query('v/all').then(() => 'ran', (problem) => problem.status);
  console.log(JSON.stringify(seen));
}

main().then(() => process.exit(0), (problem) => {
  console.error(problem);
  process.exit(1);
});
