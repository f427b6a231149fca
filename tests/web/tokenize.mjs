// Reads {"package", "folder", "texts", "ids"} as JSON; writes what the tokenizer in the folder makes of them.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(await text(process.stdin));
const { loadTokenizer } = await import(pathToFileURL(join(asked.package, "index.js")).href);
const files = { has: (path) => existsSync(path), read: (path) => readFile(path) };
const tokenizer = await loadTokenizer(files, asked.folder);
const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

write({
  tokens: Array.from({ length: tokenizer.size }, (_, id) => [
    tokenizer.token(id),
    tokenizer.surface(id),
    tokenizer.isWordStart(id),
  ]),
});
for (const each of asked.brief ? asked.texts : []) {
  const ids = tokenizer.encode(each);
  write({ ids, decoded: tokenizer.decode(ids) });
}
for (const each of asked.brief ? [] : asked.texts) {
  const ids = tokenizer.encode(each);
  write({
    ids,
    tokens: tokenizer.tokenize(each),
    decoded: tokenizer.decode(ids),
    numbers: tokenizer.wordNumbers(each),
    units: tokenizer.units(each),
  });
}
for (const ids of asked.ids) write({ decoded: tokenizer.decode(ids) });
