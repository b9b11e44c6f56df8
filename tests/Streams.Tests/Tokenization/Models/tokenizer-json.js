// What the tokenizers library makes of hostile lines with many kinds of tokenizer.json, built upon the small models here.
//   npm install tokenizers@0.23.2 && node tokenizer-json.js > tokenizer-json.json      (spm_export_vocab must be there)
const { execFileSync } = require('child_process');
const fs = require('fs');
const library = require('tokenizers');

const vocabulary = model => execFileSync('spm_export_vocab', [`--model=${model}.model`], { encoding: 'utf8' })
  .split('\n').filter(line => line.includes('\t')).map(line => [line.slice(0, line.lastIndexOf('\t')), Number(line.slice(line.lastIndexOf('\t') + 1))]);
const token = (id, content, more) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more });

// Byte pairs: any two pieces that together are a piece, by its score.
const pieces = vocabulary('pairs-bytes');
const ids = new Map(pieces.map(([text], id) => [text, id]));
const merges = [];
pieces.forEach(([text, score], id) => {
  const characters = [...text];
  for (let cut = 1; id > 258 && cut < characters.length; cut++) {
    const [left, right] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
    if (ids.has(left) && ids.has(right)) merges.push([-score, ids.get(left), left, right]);
  }
});
merges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
const pairs = {
  type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true,
  byte_fallback: true, ignore_merges: false, vocab: Object.fromEntries(ids), merges: merges.map(([, , left, right]) => `${left} ${right}`),
};

const trained = new library.Tokenizer(library.BPE.empty());
trained.setPreTokenizer(library.byteLevelPreTokenizer(false, true));
trained.train(['training-text.txt']);
trained.save('/tmp/tokenizer-json-bytes.json');
const bytes = JSON.parse(fs.readFileSync('/tmp/tokenizer-json-bytes.json', 'utf8')).model;
library.byteLevelAlphabet().sort().forEach(character => { bytes.vocab[character] ??= Object.keys(bytes.vocab).length; });

const unigram = { type: 'Unigram', unk_id: 0, vocab: vocabulary('prefix-bytes'), byte_fallback: true };
const models = { pairs, bytes, unigram };

const special = [token(0, '<unk>'), token(1, '<s>'), token(2, '</s>')];
const replace = (pattern, content) => ({ type: 'Replace', pattern, content });
const metaspace = (prepend_scheme, split) => ({ type: 'Metaspace', replacement: '▁', prepend_scheme, split });
const sequence = (name, ...items) => ({ type: 'Sequence', [name]: items });
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const llama = {
  normalizer: sequence('normalizers', { type: 'Prepend', prepend: '▁' }, replace({ String: ' ' }, '▁')),
  decoder: sequence('decoders', replace({ String: '▁' }, ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }),
};
const split = (behavior, invert) => ({ ...llama, normalizer: null, pre_tokenizer: { type: 'Split', pattern: { Regex: '\\p{N}{1,2}|[、。]|\\s' }, behavior, invert } });
const words = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const n = pieces.length;

const variants = {
  'Llama, spaces prepended': { of: 'pairs', ...llama },
  'Llama, words of Metaspace, prepended at the start': { of: 'pairs', pre_tokenizer: metaspace('first', true), decoder: sequence('decoders', { type: 'ByteFallback' }, metaspace('first', true)) },
  'no bytes, NFKC, stripped': { of: 'pairs', model: { byte_fallback: false }, normalizer: sequence('normalizers', { type: 'NFKC' }, { type: 'Strip', strip_left: true, strip_right: true }), pre_tokenizer: metaspace('always', false), decoder: metaspace('always', false) },
  'lower case without accents, each unknown by itself, spaced': { of: 'pairs', model: { byte_fallback: false, fuse_unk: false }, normalizer: sequence('normalizers', { type: 'Lowercase' }, { type: 'NFD' }, { type: 'StripAccents' }), pre_tokenizer: sequence('pretokenizers', { type: 'Digits', individual_digits: true }, { type: 'Punctuation', behavior: 'Isolated' }, metaspace('never', true)), decoder: null },
  'unknown characters left out': { of: 'pairs', model: { byte_fallback: false, unk_token: null }, normalizer: { type: 'NFKD' }, pre_tokenizer: { type: 'WhitespaceSplit' }, decoder: llama.decoder },
  'words by regular expression': { of: 'pairs', normalizer: { type: 'NFC' }, pre_tokenizer: { type: 'Whitespace' }, decoder: llama.decoder },
  'whole words first': { of: 'pairs', model: { ignore_merges: true }, normalizer: replace({ Regex: '\\s+' }, '▁'), pre_tokenizer: sequence('pretokenizers', { type: 'Digits', individual_digits: false }, { type: 'Punctuation', behavior: 'MergedWithPrevious' }, { type: 'CharDelimiterSplit', delimiter: 'を' }), decoder: llama.decoder },
  'added tokens': { of: 'pairs', ...llama, added_tokens: [...special, token(n, 'の本', { lstrip: true, rstrip: true, special: false }), token(n + 1, 'hill', { single_word: true }), token(n + 2, 'を照', { rstrip: true, normalized: true, special: false }), token(n + 3, '123')] },
  'split, removed': { of: 'pairs', ...split('Removed', false) },
  'split, inverted': { of: 'pairs', ...split('Isolated', true) },
  'split, with previous': { of: 'pairs', ...split('MergedWithPrevious', false) },
  'split, with next': { of: 'pairs', ...split('MergedWithNext', false) },
  'split, contiguous': { of: 'pairs', ...split('Contiguous', false) },
  'byte level, words of GPT-2': { of: 'bytes', added_tokens: [token(3000, '<|endoftext|>')], pre_tokenizer: byteLevel, decoder: byteLevel },
  'byte level, words of Llama 3': { of: 'bytes', added_tokens: [], model: { ignore_merges: true }, normalizer: { type: 'NFC' }, pre_tokenizer: sequence('pretokenizers', { type: 'Split', pattern: { Regex: words }, behavior: 'Isolated', invert: false }, { ...byteLevel, use_regex: false }), decoder: byteLevel },
  'unigram, words of Metaspace': { of: 'unigram', pre_tokenizer: metaspace('always', true), decoder: sequence('decoders', { type: 'ByteFallback' }, metaspace('always', true)) },
};

(async () => {
  const all = ['pairs-bytes', 'prefix-bytes'].flatMap(model => fs.readFileSync(`${model}-cases.jsonl`, 'utf8').split('\n').filter(line => line).map(line => JSON.parse(line).text));
  const hostile = ['', ' ', '  a', '<s>の本</s>', ' の本 の本  ', 'hill hills uphill', 'x を照  y', 'ｶﾞ①ﬁ㍿', 'Ａ\u0301e\u0301', '한글 \u1112\u1161\u11ab', '👍🏽👨‍👩‍👧 𠮷野家', "it's 1234 I'LL", '\t\u00a0a\u3000b', 'İSTANBUL ΣΑΣ'];
  const lines = [...new Set([...hostile, ...all.filter((text, index) => index % 16 === 0 && text.length <= 60)])];
  for (const [name, { of, model, ...parts }] of Object.entries(variants)) {
    const json = { version: '1.0', truncation: null, padding: null, added_tokens: special, normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...parts, model: { ...models[of], ...model } };
    const tokenizer = library.Tokenizer.fromString(JSON.stringify(json));
    const cases = [];
    for (const text of lines) {
      const encoded = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
      cases.push({ text, ids: encoded, decoded: await tokenizer.decode(encoded, true) });
    }
    variants[name] = { of, model, ...parts, cases };
  }
  const text = JSON.stringify({ models, added_tokens: special, variants }, (key, value) => value, 0);
  process.stdout.write(text.replaceAll('{"text"', '\n{"text"').replaceAll(/"(models|variants|pairs|bytes|unigram)":/g, '\n"$1":') + '\n');
})();
