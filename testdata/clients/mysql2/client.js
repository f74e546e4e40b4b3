// Asks a server through mysql2, in the text protocol (query) and the binary
// one (execute).
'use strict';

const fs = require('fs');
const mysql = require('mysql2/promise');

function text(v) {
  if (v === null || v === undefined) return null;
  if (Buffer.isBuffer(v)) return '0x' + v.toString('hex');
  return typeof v === 'object' ? JSON.stringify(v) : String(v);
}

// bound is a parameter written as kind:value.
function bound(word) {
  const at = word.indexOf(':');
  const v = word.slice(at + 1);
  switch (word.slice(0, at)) {
    case 'null': return null;
    case 'bool': return v === '1';
    case 'byte': case 'short': case 'int': case 'float': case 'double': return Number(v);
    case 'at': return new Date(v.replace(' ', 'T') + 'Z');
    case 'bytes': case 'stream': return Buffer.from(v, 'utf8');
    default: return v;
  }
}

async function main([host, port, user, password, tls, file]) {
  const connect = () =>
    mysql.createConnection({
      host, port: Number(port), user, password, database: 'wiresql',
      ssl: tls === '1' ? { rejectUnauthorized: false } : undefined,
      dateStrings: true, timezone: 'Z', supportBigNumbers: true, bigNumberStrings: true, jsonStrings: true, rowsAsArray: true, charset: 'utf8mb4',
    });
  let db = await connect();
  for (const line of fs.readFileSync(file, 'utf8').split('\n').filter((s) => s !== '')) {
    const [statement, ...words] = line.split('\t');
    for (const binary of words.length > 0 ? [true] : [false, true]) {
      const out = { binary, columns: [], rows: [] };
      try {
        const [rows, fields] = await (binary ? db.execute(statement, words.map(bound)) : db.query(statement));
        out.columns = fields.map((f) => ({
          name: f.name, type: f.columnType + (f.characterSet === 63 ? 'b' : ''), scale: f.decimals, unsigned: (f.flags & 32) !== 0,
        }));
        out.rows = rows.map((row) => row.map(text));
      } catch (e) {
        out.error = e.message;
        try {
          await db.ping();
        } catch {
          out.error += ' (and the connection is lost)';
          db = await connect();
        }
      }
      console.log(JSON.stringify(out));
    }
  }
  await db.end();
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e);
  process.exit(1);
});
