import { everySequenceEndsInParity } from './ends-in-parity.js';

everySequenceEndsInParity('postgres');
