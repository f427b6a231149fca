/** Byte-pair encoding as sentencepiece does it: the best merge of the whole text first, of equals the leftmost. */

/** Subword -> its score; a pair that makes a better subword merges earlier. */
export type Scores = ReadonlyMap<string, number>;

interface Merge {
  readonly score: number;
  readonly left: number;
  readonly right: number;
  readonly length: number;
}

/** Split a text into subwords; characters that are none stay on their own. */
export function mergePairs(text: string, scores: Scores): string[] {
  const parts = [...text];
  const next = parts.map((_, at) => at + 1);
  const before = parts.map((_, at) => at - 1);
  const queue = new MergeQueue();

  const offer = (left: number, right: number): void => {
    if (left < 0 || right >= parts.length) return;
    const merged = parts[left]! + parts[right]!;
    const score = scores.get(merged);
    if (score !== undefined) queue.push({ score, left, right, length: merged.length });
  };

  for (let right = 1; right < parts.length; right++) offer(right - 1, right);
  for (let merge = queue.pop(); merge; merge = queue.pop()) {
    const { left, right } = merge;
    // one of the two may have become part of something else since
    if (!parts[left] || !parts[right] || parts[left].length + parts[right].length !== merge.length) continue;
    parts[left] += parts[right];
    parts[right] = "";
    next[left] = next[right]!;
    if (next[left]! < parts.length) before[next[left]!] = left;
    offer(before[left]!, left);
    offer(left, next[left]!);
  }
  return parts.filter((part) => part);
}

/** A binary heap: the best merge comes out first. */
class MergeQueue {
  readonly #heap: Merge[] = [];

  push(merge: Merge): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(merge);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(merge, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = merge;
  }

  pop(): Merge | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Merge, other: Merge): boolean {
  return one.score > other.score || (one.score === other.score && one.left < other.left);
}
