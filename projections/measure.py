"""What an episode contributes to the numbers of a place: which measure, at which minute, where, how much."""

CONTACT, RESPONSE, RESOLUTION, REOPENED, RESPONSE_DUE, RESOLUTION_DUE, QUALITY, RATING = range(8)
