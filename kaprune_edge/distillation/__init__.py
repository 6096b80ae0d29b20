"""Teaching a student from a teacher."""
