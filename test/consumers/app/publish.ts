import { publishOne } from './publish-one.js';

void publishOne().then((published) => console.log(JSON.stringify(published)));
