import { notebook as model } from '../support/entities/notebook.js';

export { Card, Note, Owner, Profile } from '../support/entities/notebook.js';
export const notebook = model.entities;
export const notebookMappers = model.mappers;
