// Reads {"package", "folder", "texts", "options", "count"} as JSON; writes the translations of an exported model.
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(await text(process.stdin));
const { Translator } = await import(pathToFileURL(join(asked.package, "index.js")).href);
const translator = await Translator.load(pathToFileURL(asked.folder), { ignore: asked.ignore ?? [] });
for (const options of asked.options) {
  for (const each of asked.texts) {
    const found = await translator.nBest(each, options.count ?? 1, options);
    const panels = found.map((translation) => translator.toPanel(translation));
    process.stdout.write(`${JSON.stringify({ translations: found, panels })}\n`);
  }
}
