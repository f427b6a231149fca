/** What else the model might have written in the place of a word. */

import { element } from "./dom.js";
import type { Panel } from "./messages.js";
import type { Word } from "./words.js";

/** List the alternatives of a word, token by token, the most probable first. */
export function alternativesOf(word: Word, panel: Panel, language: string): HTMLElement {
  const lists = word.tokens.map((number) => {
    const chosen = panel.tokens[number]!;
    const list = element("ol", { class: "alternatives" });
    for (const { token, log_prob } of panel.alternatives?.[number] ?? []) {
      const share = log_prob === null ? 0 : Math.exp(log_prob);
      const bar = element("meter", { min: "0", max: "1", value: String(share), "aria-hidden": "true" });
      const shown = token.special ? "(end)" : token.surface.trim() || token.token;
      const text = element("span", { class: "token", lang: language, dir: "auto" }, shown);
      const item = element("li", {}, text, bar, element("span", { class: "share" }, percent(share)));
      if (token.token === chosen.token) item.setAttribute("aria-current", "true");
      list.append(item);
    }
    return list;
  });
  return element("div", { class: "alternative-lists" }, ...lists);
}

function percent(share: number): string {
  return share >= 0.0995 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`;
}
