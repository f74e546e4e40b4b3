// A session as people have one through mysql2: queries with values, prepared
// statements, streams, pools, cancelling. Takes HOST PORT USER PASSWORD TLS;
// prints a line per step, the same for every server. What is about the schema
// wiresql begins with "own ".
'use strict';

const mysql = require('mysql2');
const promised = require('mysql2/promise');

const NUMBERS = '(SELECT 0 AS n' + Array.from({ length: 49 }, (_, i) => ` UNION ALL SELECT ${i + 1}`).join('') + ')';
const LARGE = `SELECT a.n * 2500 + b.n * 50 + c.n AS n, CONCAT('row ', c.n) AS t FROM ${NUMBERS} a CROSS JOIN ${NUMBERS} b CROSS JOIN ${NUMBERS} c`;
const ENDLESS = `SELECT COUNT(*) FROM (${LARGE}) q CROSS JOIN (${LARGE}) r WHERE SQRT(q.n * r.n) = 0.5`;

const VALUES = [
  ['SELECT ?, ?, ?', [1, null, 'text']],
  ['SELECT ? + 0, ? + 0', ['9223372036854775807', 2147483648]],
  ['SELECT CAST(? AS CHAR)', ["häß 😀 '\"\\%"]],
  ['SELECT ? * 2', [1.5]],
  ['SELECT CAST(? AS DATETIME(3)), DAYNAME(?)', [new Date('2026-06-12T10:15:00.048Z'), '2024-02-29']],
  ['SELECT HEX(?), LENGTH(?)', [Buffer.from([0, 255, 39, 92]), Buffer.alloc(0)]],
  ['SELECT ? = 1, ? IS NULL', [true, null]],
  ['SELECT n FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) t WHERE n IN (?, ?) ORDER BY n', [3, 2]],
  ['SELECT LENGTH(?)', ['x'.repeat(100000)]],
];

const say = (name, value) => console.log(`${name}: ${value}`);
const text = (v) => (v === null ? 'NULL' : Buffer.isBuffer(v) ? '0x' + v.toString('hex') : v instanceof Date ? v.toISOString() : String(v));
const shown = (rows) => rows.map((row) => Object.values(row).map(text).join('|')).join('; ');
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function tried(name, f) {
  try {
    say(name, await f());
  } catch (e) {
    say(name, `error ${e.errno || e.code} ${e.sqlState || ''}`);
  }
}

async function main([host, port, user, password, tls]) {
  const options = {
    host, port: Number(port), user, password, database: 'wiresql', timezone: 'Z', charset: 'utf8mb4', supportBigNumbers: true,
    ssl: tls === '1' ? { rejectUnauthorized: false } : undefined,
  };
  const connect = (more) => mysql.createConnection({ ...options, ...more }).promise();
  const db = await connect({ multipleStatements: true });
  db.connection.on('error', () => {}); // it is killed below
  await db.ping();
  const [databases] = await db.query('SHOW DATABASES');
  say('databases', ['wiresql', 'ops', 'information_schema'].every((n) => databases.some((r) => r.Database === n)));
  for (const [statement, values] of VALUES) {
    const name = `${statement} ${JSON.stringify(values).slice(0, 40)}`;
    await tried(name, async () => shown((await db.query(statement, values))[0]));
    await tried(name + ' prepared', async () => shown((await db.execute(statement, values))[0]));
  }
  const [, fields] = await db.query('SELECT * FROM connections LIMIT 0');
  say('own columns', fields.length);
  for (const statement of ['SELEC 1', 'SELECT nothing', 'SELECT * FROM nothing', 'USE nowhere']) {
    await tried(statement, async () => shown((await db.query(statement))[0]));
    await tried(statement + ' prepared', async () => shown((await db.execute(statement))[0]));
    await tried('alive', async () => shown((await db.query('SELECT 1 AS one'))[0]));
  }
  const [sets] = await db.query("SELECT 1 AS a; SELECT 2 AS a, NULL AS b; SET @x = 'set'; SELECT @x AS x");
  say('sets', sets.map((s) => (Array.isArray(s) ? shown(s) : 'no rows')).join(' / '));
  await tried('error among sets', async () => shown((await db.query('SELECT 1; SELECT nothing; SELECT 3'))[0]));
  await tried('alive', async () => shown((await db.query('SELECT 1 AS one'))[0]));

  let n = 0, total = 0;
  for await (const row of db.connection.query(LARGE).stream({ highWaterMark: 100 })) {
    n++;
    total += row.n;
  }
  say('stream', `${n} ${total}`);

  await db.beginTransaction();
  await tried('in a transaction', async () => shown((await db.query('SELECT 1 AS one'))[0]));
  await db.commit();
  await db.beginTransaction();
  await db.rollback();

  await db.query('SET @a = 5');
  await tried('variable', async () => shown((await db.query('SELECT @a AS a'))[0]));
  await db.changeUser({ user, password, database: 'ops' });
  await tried('changed', async () => shown((await db.query('SELECT @a AS a, DATABASE() AS d'))[0]));
  await tried('not changed', () => db.changeUser({ user, password, database: 'nowhere' }));

  // A pool whose connections work at the same time.
  const pool = mysql.createPool({ ...options, connectionLimit: 5 }).promise();
  const all = await Promise.all(Array.from({ length: 40 }, (_, i) => pool.execute('SELECT ? + 1 AS n', [i])));
  say('pool', all.reduce((sum, [rows]) => sum + Number(rows[0].n), 0));
  await pool.end();

  // A statement that another connection ends, and one whose client goes.
  const one = await connect();
  one.connection.on('error', () => {});
  const [[{ id }]] = await one.query('SELECT CONNECTION_ID() AS id');
  const other = await connect();
  const started = Date.now();
  setTimeout(() => other.query('KILL QUERY ' + id).catch((e) => say('kill', e)), 400);
  await tried('cancelled', async () => shown((await one.query(ENDLESS))[0]));
  say('in time', Date.now() - started < 10000);
  await tried('alive', async () => shown((await one.query('SELECT 1 AS one'))[0]));
  const running = async () => Number((await other.query('SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id = ' + id))[0][0].n);
  await other.query('KILL ' + id);
  for (let i = 0; i < 100 && (await running()) > 0; i++) await wait(50);
  say('killed', await running());
  await tried('after KILL', async () => (await one.query('SELECT 1')) && 'answered').catch(() => {});
  await tried('KILL of nobody', () => other.query('KILL 2000000000'));
  await other.end();
  await db.end();
  await tried('wrong password', () => promised.createConnection({ ...options, password: 'wrong' }));
  await tried('unknown database', () => promised.createConnection({ ...options, database: 'nowhere' }));
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e);
  process.exit(1);
});
