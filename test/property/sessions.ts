export { Sessions } from '../support/sessions.js';
