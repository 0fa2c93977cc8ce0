// The Caesar cipher of `cipher-guest`, in JavaScript, as a component of the world
// `runner:cipher/encoder-decoder-service`.

import { append } from 'runner:audit/audit-log@0.1.0';
import { getEnvironment } from 'wasi:cli/environment@0.2.12';

const VARIABLE = 'SHIFT_AMOUNT';
const LETTERS = 26n;

// The export `runner:cipher/cipher`. What is thrown becomes its `error`.
export const cipher = {
  encrypt: (message) => audited('encrypt', message, (shift) => shift),
  decrypt: (message) => audited('decrypt', message, (shift) => LETTERS - shift),
};

// Transforms only once the audit log has taken the entry that says so.
function audited(action, message, direction) {
  const shift = readShift(getEnvironment());
  record(action, shift.error ? 'failure' : 'success', message);
  if (shift.error) {
    throw { tag: 'misconfigured', val: shift.error };
  }
  return moveLetters(message, Number(direction(shift.places)));
}

// Leaves one entry: the length of the message in bytes, never the message.
function record(action, outcome, message) {
  const bytes = new TextEncoder().encode(message).length;
  const attributes = [{ name: 'message-bytes', value: `${bytes}` }];
  try {
    append({ action, outcome, resource: 'caesar', attributes });
  } catch (error) {
    throw { tag: 'unaudited', val: error.payload.val };
  }
}

// Any decimal integer is a shift; without one it is 3. The last setting counts.
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

// Moves every ASCII letter forward and keeps its case and everything else.
function moveLetters(message, places) {
  const letters = Number(LETTERS);
  return message.replace(/[a-z]/gi, (letter) => {
    const first = letter < 'a' ? 65 : 97;
    const moved = (letter.charCodeAt(0) - first + places) % letters;
    return String.fromCharCode(first + moved);
  });
}
