"""The National Stock Exchange of India: live quotes, archives, holidays."""
