"""Fine-tunes a teacher whose head, learning rate and best epoch are chosen on rows that were held out."""
