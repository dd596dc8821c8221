import { everySequenceEndsInAgreement } from './ends-in-agreement.js';

everySequenceEndsInAgreement('sqlite');
