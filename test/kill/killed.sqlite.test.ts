import { survivesKills } from './survives-kills.js';

survivesKills('sqlite');
