import { survivesSwarm } from './survives.js';

survivesSwarm('postgres');
