"""Made-up people, stand-in partners and the programme's staff, so that whole journeys can be watched in minutes."""
