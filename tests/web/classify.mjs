// Reads {"package", "characters"} as JSON; writes which of them are of which class, and how they are split as words.
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(await text(process.stdin));
const load = (path) => import(pathToFileURL(join(asked.package, path)).href);
const { isSpace, isWordCharacter } = await load("tokenizers/characters.js");
const { splitWords } = await load("tokenizers/word.js");

const all = [...asked.characters];
const known = all.filter((character) => !/\p{Cn}/u.test(character));
const found = {
  unknown: all.filter((character) => /\p{Cn}/u.test(character)).join(""),
  spaces: known.filter(isSpace).join(""),
  letters: known.filter(isWordCharacter).join(""),
  words: splitWords(known.map((character) => `${character}a`).join(" ")),
};
process.stdout.write(`${JSON.stringify(found)}\n`);
