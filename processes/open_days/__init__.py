"""Open days, experience-sharing meetings and briefings (公众开放日、经验分享会、政策宣讲)."""
