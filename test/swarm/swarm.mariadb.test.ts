import { survivesSwarm } from './survives.js';

survivesSwarm('mariadb');
