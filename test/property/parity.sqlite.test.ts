import { everySequenceEndsInParity } from './ends-in-parity.js';

everySequenceEndsInParity('sqlite');
