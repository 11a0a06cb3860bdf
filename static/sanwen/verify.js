// Checks exported records and receipts in this browser; no file leaves it.
// The same checks as `sanwen verify` (sanwen/chain.py, sanwen/verify/case.py), by WebCrypto alone.
"use strict";

const FORMAT = 1;
const MAX_BYTES = 65535;
const TOLERANCE = 120000;
const encoder = new TextEncoder();
const words = JSON.parse(document.getElementById("verify-words").textContent);

class Fault extends Error {
  constructor(code, about = {}) {
    super(code);
    this.code = code;
    this.about = about;
  }
}

// --- bytes ---------------------------------------------------------------------------------------

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

function unbase64(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  if (base64(bytes) !== text) throw new Error("Base64");
  return bytes;
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const leafHash = (record) => sha256(joined(new Uint8Array([0]), record));
const nodeHash = (left, right) => sha256(joined(new Uint8Array([1]), left, right));

function textOf(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** The lines of a file as bytes. Only a line feed ends one. */
function linesOf(bytes) {
  const found = [];
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let at = start; at <= bytes.length; at += 1) {
    if (at === bytes.length || bytes[at] === 10) {
      if (at > start) found.push(bytes.subarray(start, at));
      start = at + 1;
    }
  }
  return found;
}

// --- one record, one case ------------------------------------------------------------------------

/** Canonical JSON (RFC 8785): the language's own strings and numbers, names in order. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("number");
  return JSON.stringify(value);
}

const isText = (value) => typeof value === "string" && value !== "";
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isDigests = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === "string" && item.length === 43);

/** Milliseconds of a time of a record (RFC 3339), or NaN. */
function moment(at) {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
  if (typeof at !== "string" || !form.test(at)) return NaN;
  const day = new Date(`${at.slice(0, 10)}T00:00:00Z`);
  const real = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(at.slice(0, 10));
  return real ? Date.parse(at) : NaN;
}

function wrongField(content) {
  if (!isObject(content)) return "JSON";
  const { body, party } = content;
  const sound = {
    v: content.v === FORMAT,
    case: isText(content.case),
    seq: Number.isSafeInteger(content.seq) && content.seq >= 0,
    procedure: isText(content.procedure),
    step: typeof content.step === "string",
    act: isText(content.act),
    at: !Number.isNaN(moment(content.at)),
    party: isObject(party) && isText(party.role),
    body: isObject(body) && isDigests(body._sd ?? []),
    prev: !("prev" in content) || /^[^]{43}=$/.test(content.prev),
    _sd: isDigests(content._sd ?? []),
  };
  const wrong = Object.keys(sound).find((name) => !sound[name]);
  if (wrong) return wrong;
  const has = "_sd" in content || "_sd" in body;
  return has && content._sd_alg !== "sha-256" ? "_sd_alg" : "";
}

function readRecord(line, seq) {
  if (line.length > MAX_BYTES) throw new Fault("malformed", { seq, why: `${line.length} > ${MAX_BYTES}` });
  let text;
  let content;
  let written;
  try {
    text = textOf(line);
    content = JSON.parse(text);
    written = canonical(content);
  } catch {
    throw new Fault("malformed", { seq, why: "JSON" });
  }
  if (written !== text) throw new Fault("not_canonical", { seq });
  const why = wrongField(content);
  if (why) throw new Fault("malformed", { seq, why });
  return content;
}

async function checkChain(lines) {
  const contents = [];
  let head = null;
  let latest = -Infinity;
  for (const [seq, line] of lines.entries()) {
    const content = readRecord(line, seq);
    const first = contents[0] ?? content;
    const found = content.seq;
    if (content.case !== first.case) throw new Fault("another_case", { seq, other: content.case });
    if (found > seq) throw new Fault("left_out", { seq, found });
    if (found < seq) throw new Fault("out_of_place", { seq, found });
    if (seq === 0 && "prev" in content) throw new Fault("prev_at_first");
    if (seq > 0 && content.prev !== base64(head)) throw new Fault("prev_wrong", { seq, before: seq - 1 });
    if (content.procedure !== first.procedure) {
      throw new Fault("procedure_changed", { seq, found: content.procedure, procedure: first.procedure });
    }
    const at = moment(content.at);
    if (at + TOLERANCE < latest) {
      throw new Fault("time_back", { seq, at: content.at, before: contents[seq - 1].at });
    }
    latest = Math.max(at, latest);
    head = await leafHash(line);
    contents.push(content);
  }
  if (!contents.length) throw new Fault("nothing");
  return contents;
}

// --- disclosures ---------------------------------------------------------------------------------

function disclosedName(encoded, seq) {
  try {
    const plain = encoded.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(plain), (sign) => sign.charCodeAt(0));
    const array = JSON.parse(textOf(bytes));
    if (!Array.isArray(array) || array.length !== 3 || typeof array[1] !== "string") throw new Error();
    return array[1];
  } catch {
    throw new Fault("disclosure_malformed", { seq });
  }
}

async function checkDisclosures(contents, given) {
  const waiting = new Map();
  let total = 0;
  for (const [seq, content] of contents) {
    const digests = new Set([...(content._sd ?? []), ...(content.body._sd ?? [])]);
    total += digests.size;
    waiting.set(seq, digests);
  }
  const seen = new Set();
  for (const [seq, encoded] of given) {
    const name = disclosedName(encoded, seq);
    const digest = base64(await sha256(encoder.encode(encoded)))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    if (!waiting.get(seq)?.has(digest) || name === "_sd" || name === "...") {
      throw new Fault("disclosure_unknown", { seq, name });
    }
    const key = `${seq} ${digest}`;
    if (seen.has(key)) throw new Fault("disclosure_repeated", { seq, name });
    seen.add(key);
  }
  return [seen.size, total - seen.size];
}

// --- checkpoints and proofs (C2SP) ---------------------------------------------------------------

async function keyId(name, material) {
  return (await sha256(joined(encoder.encode(`${name}\n`), material))).subarray(0, 4);
}

/** A vkey line: name, id, public key. */
async function verifier(line) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line.trim());
  if (!match) throw new Error("name+id+key");
  const material = unbase64(match[3]);
  const id = await keyId(match[1], material);
  if (material.length !== 33 || material[0] !== 1 || hex(id) !== match[2]) throw new Error("Ed25519");
  return { name: match[1], id, key: material.subarray(1), line: line.trim() };
}

function parseCheckpoint(source) {
  const at = source.lastIndexOf("\n\n");
  if (at < 0 || !source.endsWith("\n")) throw new Error("note");
  const text = source.slice(0, at + 1);
  const [origin, size, root] = text.split("\n");
  if (!/^(?:0|[1-9][0-9]*)$/.test(size ?? "")) throw new Error("size");
  const signatures = source.slice(at + 2, -1).split("\n").map((line) => {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!match) throw new Error("signature");
    const material = unbase64(match[2]);
    return { name: match[1], id: material.subarray(0, 4), signature: material.subarray(4) };
  });
  return { text, origin, size: Number(size), root: unbase64(root), signatures };
}

async function isSigned(key, signature, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, encoder.encode(text));
}

async function knowsEd25519() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), { name: "Ed25519" }, false, ["verify"]);
    return true;
  } catch (error) {
    return error.name !== "NotSupportedError";
  }
}

async function signedCheckpoint(source, keys, result) {
  try {
    const found = parseCheckpoint(source);
    if (!keys.length) {
      result.open("proof_key_unknown", { key: found.origin });
      return found;
    }
    if (!(await knowsEd25519())) {
      result.open("no_ed25519");
      return found;
    }
    for (const key of keys) {
      const own = found.signatures.find((s) => s.name === key.name && same(s.id, key.id));
      if (!own || key.name !== found.origin) continue;
      if (!(await isSigned(key.key, own.signature, found.text))) throw new Error(key.name);
      result.holds("signature_holds", { key: key.line, size: found.size });
      return found;
    }
    throw new Error(found.origin);
  } catch (error) {
    throw new Fault("bad_checkpoint", { why: error.message });
  }
}

/** RFC 9162, 2.1.3.2. Whole numbers beyond 32 bits: no bit operations. */
async function checkInclusion(line, seq, index, path, checkpoint) {
  let why = "";
  if (!(index >= 0 && index < checkpoint.size)) why = `${index} >= ${checkpoint.size}`;
  let at = index;
  let last = checkpoint.size - 1;
  let found = await leafHash(line);
  for (const step of why ? [] : path) {
    if (last === 0 || step.length !== 32) why = "path";
    if (at % 2 === 1 || at === last) {
      found = await nodeHash(step, found);
      while (at % 2 === 0 && at) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      found = await nodeHash(found, step);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  if (!why && (last !== 0 || !same(found, checkpoint.root))) why = "root";
  if (why) throw new Fault("not_included", { seq, why });
}

function parseProof(source, seq) {
  try {
    const at = source.indexOf("\n\n");
    const head = source.slice(0, at).split("\n");
    if (at < 0 || head[0] !== "c2sp.org/tlog-proof@v1") throw new Error("c2sp.org/tlog-proof@v1");
    if (head[1]?.startsWith("extra ")) head.splice(1, 1);
    const match = /^index ([0-9]{1,15})$/.exec(head[1] ?? "");
    if (!match) throw new Error("index");
    return { index: Number(match[1]), path: head.slice(2).map(unbase64), checkpoint: source.slice(at + 2) };
  } catch (error) {
    throw new Fault("not_included", { seq, why: error.message });
  }
}

// --- what people hold in their hands -------------------------------------------------------------

async function checkReceipt(bytes, keys, result) {
  let held;
  try {
    held = JSON.parse(textOf(bytes));
    if (held.v !== 1 || typeof held.record !== "string" || !Array.isArray(held.disclosures)) throw new Error("v");
    if (!("proof" in held)) throw new Error("proof");
  } catch (error) {
    throw new Fault("not_a_receipt", { why: error.message });
  }
  const line = encoder.encode(held.record);
  let seq = 0;
  try {
    seq = JSON.parse(held.record).seq ?? 0;
  } catch {
    // Named as the first; what is wrong is said below.
  }
  const content = readRecord(line, seq);
  const given = held.disclosures.map((text) => [seq, String(text)]);
  await disclosuresHold(new Map([[seq, content]]), given, result);
  if (!held.proof) {
    result.open("no_proof", { seq });
    return;
  }
  const proof = parseProof(String(held.proof), seq);
  const checkpoint = await signedCheckpoint(proof.checkpoint, keys, result);
  await checkInclusion(line, seq, proof.index, proof.path, checkpoint);
  result.holds("included", { n: 1 });
}

async function disclosuresHold(contents, given, result) {
  const [n, missing] = await checkDisclosures(contents, given);
  result.holds("disclosures_hold", { n });
  if (missing) result.note("withdrawn", { n: missing });
}

function rowsOf(bytes, name, read) {
  return linesOf(bytes).map((line) => {
    try {
      return read(JSON.parse(textOf(line)));
    } catch (error) {
      throw new Fault("attachment_wrong", { name, why: error.message });
    }
  });
}

async function checkRecords(files, keys, result) {
  const lines = linesOf(files.records);
  const contents = await checkChain(lines);
  result.holds("chain_holds", { case: contents[0].case, n: lines.length });
  if (files.disclosures) {
    const given = rowsOf(files.disclosures, "disclosures.jsonl", (row) => {
      if (!Number.isSafeInteger(row.seq) || typeof row.disclosure !== "string") throw new Error("seq");
      return [row.seq, row.disclosure];
    });
    await disclosuresHold(new Map(contents.entries()), given, result);
  }
  if (files.proofs && files.checkpoint) await checkProofs(lines, files, keys, result);
  result.note("needs_log");
}

async function checkProofs(lines, files, keys, result) {
  const checkpoint = await signedCheckpoint(textOf(files.checkpoint), keys, result);
  const proofs = new Map(rowsOf(files.proofs, "proofs.jsonl", (row) => [row.seq, [row.index, row.path.map(unbase64)]]));
  for (const [seq, line] of lines.entries()) {
    if (proofs.has(seq)) {
      await checkInclusion(line, seq, ...proofs.get(seq), checkpoint);
    } else if (seq === proofs.size) {
      result.open("no_proof", { seq });
      break;
    } else {
      throw new Fault("no_proof", { seq });
    }
  }
  result.holds("included", { n: proofs.size });
}

/** Sorts the chosen files by name and content and checks what they are. */
async function checkFiles(chosen, keyLines, result) {
  const files = {};
  let receipt = null;
  for (const file of chosen) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const part = ["disclosures", "proofs", "records"].find((name) => file.name.endsWith(`${name}.jsonl`));
    if (bytes[0] === 0x25 && bytes[1] === 0x50) result.open("not_in_browser");
    else if (part) files[part] = bytes;
    else if (file.name.startsWith("checkpoint")) files.checkpoint = bytes;
    else if (file.name.endsWith(".json")) receipt = bytes;
    else if (file.name.endsWith(".jsonl")) files.records = bytes;
    else throw new Fault("unknown_thing", { what: file.name });
  }
  const keys = [];
  for (const line of keyLines.split("\n").filter((text) => text.trim())) {
    try {
      keys.push(await verifier(line));
    } catch (error) {
      throw new Fault("bad_checkpoint", { why: error.message });
    }
  }
  if (receipt) await checkReceipt(receipt, keys, result);
  if (files.records) await checkRecords(files, keys, result);
}

// --- the page ------------------------------------------------------------------------------------

const MARKS = { holds: "✓", fault: "✗", note: "·", open: "?" };

class Result {
  constructor(list) {
    this.list = list;
  }

  line(kind, code, about = {}) {
    const item = document.createElement("li");
    const sentence = (words[code] ?? code).replace(/\{(\w+)\}/g, (_all, name) => String(about[name] ?? ""));
    item.textContent = `${MARKS[kind]} ${sentence}`;
    item.dataset.kind = kind;
    item.dataset.code = code;
    if ("seq" in about) item.dataset.seq = about.seq;
    this.list.append(item);
  }

  holds(code, about) { this.line("holds", code, about); }
  note(code, about) { this.line("note", code, about); }
  open(code, about) { this.line("open", code, about); }
}

const box = document.getElementById("verify-here");
const input = box.querySelector("input[type=file]");
const keys = box.querySelector("textarea");
const list = document.getElementById("verify-lines");

async function run(chosen) {
  list.replaceChildren();
  list.setAttribute("aria-busy", "true");
  const result = new Result(list);
  try {
    if (globalThis.crypto?.subtle) await checkFiles(chosen, keys.value, result);
    else result.open("no_digest");
  } catch (error) {
    if (error instanceof Fault) result.line("fault", error.code, error.about);
    else result.line("fault", "unreadable", { why: error.message });
  }
  list.removeAttribute("aria-busy");
}

box.hidden = false;
input.addEventListener("change", () => run([...input.files]));
keys.addEventListener("change", () => input.files.length && run([...input.files]));
box.addEventListener("dragover", (event) => event.preventDefault());
box.addEventListener("drop", (event) => {
  event.preventDefault();
  run([...event.dataTransfer.files]);
});
