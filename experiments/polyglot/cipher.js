// The Caesar cipher of `cipher-guest`, in JavaScript, as a component of the world
// `runner:cipher/encoder-decoder-service`.

import { append } from 'runner:audit/audit-log@0.1.0';
import { getEnvironment } from 'wasi:cli/environment@0.2.12';

const VARIABLE = 'SHIFT_AMOUNT';
const LETTERS = 26n;

// The export `runner:cipher/cipher`. Thrown values become its `error`.
export const cipher = {
  encrypt: (message) => audited('encrypt', message, (shift) => shift),
  decrypt: (message) => audited('decrypt', message, (shift) => LETTERS - shift),
};

// Transforms the message only after the audit log has accepted the entry.
function audited(action, message, direction) {
  const shift = readShift(getEnvironment());
  record(action, shift.error ? 'failure' : 'success', message);
  if (shift.error) {
    throw { tag: 'misconfigured', val: shift.error };
  }
  return moveLetters(message, Number(direction(shift.places)));
}

// Appends one entry, with the length of the message in bytes, never its content.
function record(action, outcome, message) {
  const bytes = new TextEncoder().encode(message).length;
  const attributes = [{ name: 'message-bytes', value: `${bytes}` }];
  try {
    append({ action, outcome, resource: 'caesar', attributes });
  } catch (error) {
    throw { tag: 'unaudited', val: error.payload.val };
  }
}

// Any decimal integer is a shift; the default is 3. The last setting wins.
function readShift(environment) {
  const [, value] = environment.findLast(([name]) => name === VARIABLE) ?? [VARIABLE, '3'];
  const text = value.trim();
  if (!/^[+-]?[0-9]+$/.test(text)) {
    const expected = 'must be an integer such as 3 or -7';
    return { error: `environment variable \`${VARIABLE}\` ${expected}, found \`${value}\`` };
  }
  const amount = BigInt(text.replace('+', ''));
  return { places: ((amount % LETTERS) + LETTERS) % LETTERS };
}

// Shifts every ASCII letter and keeps its case; everything else is unchanged.
function moveLetters(message, places) {
  const letters = Number(LETTERS);
  return message.replace(/[a-z]/gi, (letter) => {
    const first = letter < 'a' ? 65 : 97;
    const moved = (letter.charCodeAt(0) - first + places) % letters;
    return String.fromCharCode(first + moved);
  });
}
