/** The decode time of the first sample of a `moof`, in ticks; `null` where there is none. */
export function decodeTime(chunk: Uint8Array): number | null {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let [from, to] = [0, view.byteLength];
  for (const name of ['moof', 'traf', 'tfdt']) {
    const box = find(view, from, to, name);
    if (!box) return null;
    [from, to] = box;
  }
  // tfdt: version and flags, then 32 or 64 bits.
  return view.getUint8(from) === 1 ? Number(view.getBigUint64(from + 4)) : view.getUint32(from + 4);
}

/** Where the content of the first box with this name lies. */
function find(view: DataView, from: number, to: number, name: string): [number, number] | null {
  for (let at = from; at + 8 <= to;) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...Array.from({ length: 4 }, (_, i) => view.getUint8(at + 4 + i)));
    if (size < 8 || at + size > to) return null;
    if (type === name) return [at + 8, at + size];
    at += size;
  }
  return null;
}
