/** What is chosen and looked at now, for all panels together. */

export type View = "arcs" | "map" | "beam";

/** What the pointer or the focus is on. */
export interface Over {
  panel: number;
  /** A row's unit, a column's, or both for one cell. */
  row: number | null;
  column: number | null;
  /** The sentences that the units are of, and their words there: what other panels find their own units by. */
  rowSentence: string;
  rowWord: number | null;
  columnSentence: string;
  columnWord: number | null;
}

export interface State {
  view: View;
  /** Whether subwords are merged. */
  words: boolean;
  /** The row that decoding stands at; null: the whole sentence. */
  step: number | null;
  over: Over | null;
}

type Listener = (state: State, before: State) => void;

/** Holds the state, and tells who asked when it changes. */
export class Store {
  private listeners: Listener[] = [];

  constructor(public state: State) {}

  set(change: Partial<State>): void {
    const before = this.state;
    this.state = { ...before, ...change };
    for (const listener of this.listeners) listener(this.state, before);
  }

  subscribe(listener: Listener): void {
    this.listeners.push(listener);
  }
}

interface Remembered {
  view?: View;
  words?: boolean;
}

/** Return what was chosen the last time; nothing where the browser keeps nothing. */
export function recall(key: string | null): Remembered {
  if (key === null) return {};
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "{}") as Remembered;
    return {
      ...(kept.view === "arcs" || kept.view === "map" || kept.view === "beam" ? { view: kept.view } : {}),
      ...(typeof kept.words === "boolean" ? { words: kept.words } : {}),
    };
  } catch {
    return {}; // no storage, as in private windows, or something else under this key
  }
}

/** Keep what is chosen for the next time, where the browser keeps anything. */
export function remember(key: string | null, state: State): void {
  if (key === null) return;
  try {
    localStorage.setItem(key, JSON.stringify({ view: state.view, words: state.words }));
  } catch {
    // no storage: the next time starts afresh
  }
}
