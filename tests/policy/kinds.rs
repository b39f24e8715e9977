//! Samples of the kinds of passwords that people and generators make.
//!
//! Words and names come from other sources than the built-in ones; `data/README.md` lists them. Every
//! generator is seeded, so the rates are the same on every machine.

use std::iter;

use fastrand::Rng;

/// Passwords of one kind, and the expected rate of rejection.
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) expected: Expected,
    pub(crate) passwords: Vec<String>,
}

/// The lowest or the highest acceptable rate of rejection, in percent.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    AtLeast(f64),
    AtMost(f64),
}

use Expected::{AtLeast, AtMost};

struct Lists {
    code: &'static str,
    language: &'static str,
    words: &'static str,
    given: &'static str,
    family: &'static str,
}

macro_rules! lists {
    ($code:literal, $language:literal) => {
        Lists {
            code: $code,
            language: $language,
            words: include_str!(concat!("data/excerpts/words-", $code, ".txt")),
            given: include_str!(concat!("data/excerpts/given-", $code, ".txt")),
            family: include_str!(concat!("data/excerpts/family-", $code, ".txt")),
        }
    };
}

const BUILT_IN: [Lists; 7] = [
    lists!("en", "English"),
    lists!("de", "German"),
    lists!("fr", "French"),
    lists!("es", "Spanish"),
    lists!("it", "Italian"),
    lists!("pt", "Portuguese"),
    lists!("pl", "Polish"),
];

const NOT_BUILT_IN: [Lists; 3] =
    [lists!("cs", "Czech"), lists!("nl", "Dutch"), lists!("tr", "Turkish")];

const CLUBS: &str = include_str!("data/excerpts/clubs.txt");
const EFF: &str = include_str!("data/eff-large-wordlist.txt");
const DICEWARE: [(&str, &str); 5] = [
    ("English", EFF),
    ("German", include_str!("data/excerpts/diceware-de.txt")),
    ("French", include_str!("data/excerpts/diceware-fr.txt")),
    ("Spanish", include_str!("data/excerpts/diceware-es.txt")),
    ("Polish", include_str!("data/excerpts/diceware-pl.txt")),
];

/// Seasons, months and weekdays in each language.
const CALENDAR: &str = "
    Frühling Fruehling Sommer Herbst Winter Jänner Januar Februar März April Juni Juli August September
    Oktober November Dezember Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
    Printemps Automne Hiver Janvier Février Mars Avril Juin Juillet Août Septembre Octobre Novembre
    Décembre Lundi Mardi Mercredi Jeudi Vendredi Samedi Dimanche
    Primavera Verano Otoño Invierno Enero Febrero Marzo Abril Mayo Junio Julio Agosto Setiembre Septiembre
    Octubre Noviembre Diciembre Lunes Martes Miércoles Jueves Viernes Sábado Domingo
    Estate Autunno Inverno Gennaio Febbraio Aprile Maggio Giugno Luglio Settembre Ottobre Novembre
    Dicembre Lunedì Martedì Mercoledì Giovedì Venerdì Sabato Domenica
    Verão Outono Inverno Janeiro Fevereiro Março Maio Junho Julho Setembro Outubro Dezembro Segunda
    Terça Quarta Quinta Sexta
    Wiosna Lato Jesień Zima Styczeń Luty Marzec Kwiecień Czerwiec Lipiec Sierpień Wrzesień
    Październik Listopad Grudzień Poniedziałek Wtorek Środa Czwartek Piątek Sobota Niedziela
    Spring Summer Autumn January February March June July October December Monday Tuesday Wednesday
    Thursday Friday Saturday Sunday";

/// Words that users associate with a sign-in page, and very common passwords.
const PASSWORD_LIKE: &str = "
    password passwort passwd kennwort motdepasse contraseña contrasena senha haslo hasło parola
    welcome willkommen bienvenue bienvenido benvenuto bemvindo witaj letmein changeme login admin
    administrator secret geheim secreto segreto segredo qwerty qwertz azerty qwertyuiop iloveyou
    abc123 master superman dragon monkey sunshine princess football baseball default guest";

/// Declarations of love in each language, used before a name or alone.
const DECLARATIONS: [&str; 14] = [
    "iloveyou",
    "iloveyouforever",
    "imissyou",
    "ichliebedich",
    "ichliebe",
    "jetaime",
    "jetaimepourtoujours",
    "teamo",
    "tequieromucho",
    "tiamo",
    "tivogliobene",
    "teamomuito",
    "euteamo",
    "kochamcie",
];

/// Well-known quotations, as far as people type them.
const LINES: [&str; 20] = [
    "tobeornottobe",
    "tobeornottobethatis",
    "tobeornottobethatisthequestion",
    "maytheforcebewithyou",
    "iamyourfather",
    "winteriscoming",
    "onceuponatime",
    "thequickbrownfox",
    "inthebeginningwas",
    "wewillrockyou",
    "seinodernichtsein",
    "eswareinmal",
    "liberteegalitefraternite",
    "jepensedoncjesuis",
    "hastalavistababy",
    "eraseunavez",
    "ceraunavolta",
    "bellaciaobellaciao",
    "ordemeprogresso",
    "jeszczepolskaniezginela",
];

/// Keyboard walks, some with shift.
const WALKS: [&str; 24] = [
    "1qaz@WSX3edc",
    "1qaz2wsx3edc4rfv",
    "!QAZ2wsx#EDC",
    "1QAZ2wsx3edc!",
    "zaq1@WSXcde3",
    "ZAQ!2wsx3edc",
    "Qwertyuiop1!",
    "qwerty12345!A",
    "Qwertz12345!",
    "Azerty12345!",
    "AZERTYuiop12!",
    "qweASD123!@#",
    "Qweasdzxc123!",
    "1q2w3e4r5t6Y!",
    "1Q2w3e4r5t6y!",
    "qawsedrfTG12!",
    "Asdfghjkl12#",
    "zxcvbnm,./1A",
    "!@#$%^&*()1Aa",
    "1234qwerASDF!",
    "Yxcvbnm12345!",
    "Wxcvbn123456!",
    "Qaz2wsxEdc4!",
    "0okm9ijnBHU*",
];

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Replaces letters after the first one by look-alikes.
fn look_alikes(word: &str) -> String {
    let pairs = [('a', "@"), ('e', "3"), ('i', "1"), ('o', "0"), ('s', "$")];
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    let rest =
        pairs.iter().fold(rest.to_owned(), |rest, &(letter, sign)| rest.replacen(letter, sign, 2));
    format!("{first}{rest}")
}

fn one<'a>(rng: &mut Rng, list: &'a str) -> &'a str {
    let words: Vec<&str> = list.split_whitespace().collect();
    words[rng.usize(..words.len())]
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn digits(rng: &mut Rng, count: usize) -> String {
    iter::repeat_with(|| rng.digit(10)).take(count).collect()
}

fn symbol(rng: &mut Rng) -> char {
    pick(rng, &['!', '!', '!', '!', '.', '?', '@', '#', '$', '*', '-', '_', '&', '+'])
}

/// Extends a word to satisfy a typical policy: at least 12 characters of four kinds.
fn dressed(rng: &mut Rng, word: &str) -> String {
    let mut word = word.to_owned();
    if !word.contains(|c: char| c.is_ascii_uppercase())
        || !word.contains(|c: char| c.is_ascii_lowercase())
    {
        word = capitalised(&word.to_lowercase());
    }
    let year = rng.u16(1960..2027);
    let number = match rng.u8(..4) {
        0 | 1 => year.to_string(),
        2 => "123".to_owned(),
        _ => {
            let count = rng.usize(1..=4);
            digits(rng, count)
        }
    };
    let mark = symbol(rng);
    let mut password = match rng.u8(..5) {
        0 | 1 => format!("{word}{number}{mark}"),
        2 => format!("{word}{mark}{number}"),
        3 => format!("{mark}{word}{number}"),
        _ => format!("{number}{word}{mark}"),
    };
    if !password.contains(|c: char| c.is_ascii_uppercase()) {
        password.push('A');
    }
    // If it is still too short, append the same symbol, one digit repeatedly, or a sequence of digits.
    let missing = 12_usize.saturating_sub(password.chars().count());
    match rng.u8(..3) {
        0 => password.extend(iter::repeat_n(mark, missing)),
        1 => password.extend(iter::repeat_n(rng.digit(10), missing)),
        _ => password.push_str(&"1234567890"[..missing.min(10)]),
    }
    password
}

/// Makes the passwords of one kind. The seed depends on the name, so each kind is independent.
fn kind(
    name: impl Into<String>,
    expected: Expected,
    count: usize,
    make: impl Fn(&mut Rng) -> String,
) -> Kind {
    let name = name.into();
    let seed = name
        .bytes()
        .fold(800_634, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut rng = Rng::with_seed(seed);
    Kind { name, expected, passwords: iter::repeat_with(|| make(&mut rng)).take(count).collect() }
}

/// The kinds that people make, which a policy should reject.
pub(crate) fn bad() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for lists in &BUILT_IN {
        let language = lists.language;
        kinds.push(kind(
            format!("a common word and more, {language}"),
            AtLeast(90.0),
            500,
            |rng| {
                let word = one(rng, lists.words);
                dressed(rng, word)
            },
        ));
        kinds.push(kind(format!("a given name and more, {language}"), AtLeast(90.0), 500, |rng| {
            let name = one(rng, lists.given);
            dressed(rng, name)
        }));
        kinds.push(kind(
            format!("a family name and more, {language}"),
            AtLeast(90.0),
            500,
            |rng| {
                let name = one(rng, lists.family);
                dressed(rng, name)
            },
        ));
        if lists.code != "en" {
            kinds.push(kind(
                format!("look-alikes of a common word, {language}"),
                AtLeast(90.0),
                500,
                |rng| {
                    let word = look_alikes(&capitalised(one(rng, lists.words)));
                    dressed(rng, &word)
                },
            ));
        }
    }
    kinds.push(kind("two common English words, a digit and a symbol", AtLeast(80.0), 500, |rng| {
        loop {
            let words = [(); 2].map(|()| capitalised(one(rng, BUILT_IN[0].words)));
            let password = format!("{}{}{}", words.concat(), rng.digit(10), symbol(rng));
            if password.len() >= 12 {
                return password;
            }
        }
    }));
    kinds.push(kind("a season, a month or a week day and more", AtLeast(100.0), 500, |rng| {
        let word = one(rng, CALENDAR);
        dressed(rng, word)
    }));
    kinds.push(kind("a password-like word and more", AtLeast(100.0), 500, |rng| {
        let word = one(rng, PASSWORD_LIKE);
        let word = if rng.bool() { look_alikes(word) } else { word.to_owned() };
        dressed(rng, &word)
    }));
    kinds.push(kind("a walk on a keyboard", AtLeast(100.0), 500, |rng| {
        let walk = pick(rng, &WALKS);
        match rng.u8(..3) {
            0 => walk.to_owned(),
            1 => format!("{walk}{}", rng.digit(10)),
            _ => format!("{walk}{}", symbol(rng)),
        }
    }));
    kinds.push(kind("a phrase and more", AtLeast(90.0), 500, |rng| match rng.u8(..3) {
        0 => {
            let line = pick(rng, &LINES);
            dressed(rng, line)
        }
        1 => {
            let line = pick(rng, &DECLARATIONS);
            dressed(rng, line)
        }
        _ => {
            let lists = &BUILT_IN[rng.usize(..7)];
            let phrase = format!("{}{}", pick(rng, &DECLARATIONS), one(rng, lists.given));
            dressed(rng, &phrase)
        }
    }));
    kinds.push(kind("a football club and more", AtLeast(90.0), 500, |rng| {
        let club = one(rng, CLUBS);
        dressed(rng, club)
    }));
    kinds
}

/// Words of languages that are not built in. The expected rates are those of the same passwords with
/// the list of common passwords and its disguises, which the estimate replaced.
pub(crate) fn foreign() -> Vec<Kind> {
    let rates = [23.0, 41.6, 6.2];
    NOT_BUILT_IN
        .iter()
        .zip(rates)
        .map(|(lists, before)| {
            let name = format!("a common word or name and more, {}", lists.language);
            kind(name, AtLeast(before), 500, |rng| {
                let list = pick(rng, &[lists.words, lists.given, lists.family]);
                let word = one(rng, list);
                dressed(rng, word)
            })
        })
        .collect()
}

const LOWER_DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn random(rng: &mut Rng, from: &[u8], length: usize) -> String {
    iter::repeat_with(|| char::from(from[rng.usize(..from.len())])).take(length).collect()
}

fn passphrase(
    rng: &mut Rng,
    list: &[&str],
    words: usize,
    separator: &str,
    capitals: bool,
) -> String {
    let words: Vec<String> = (0..words)
        .map(|_| {
            let word = list[rng.usize(..list.len())];
            if capitals { capitalised(word) } else { word.to_owned() }
        })
        .collect();
    words.join(separator)
}

/// The kinds that generators make, which a policy should accept.
pub(crate) fn good() -> Vec<Kind> {
    const COUNT: usize = 2_000;
    let eff: Vec<&str> = EFF.lines().collect();
    let all: Vec<u8> = (b'!'..=b'~').collect();
    let most = AtMost(0.1);
    let mut kinds = vec![
        kind("1Password, memorable: four words", most, COUNT, |rng| {
            let separator = pick(rng, &["-", ".", " ", "_"]);
            passphrase(rng, &eff, 4, separator, false)
        }),
        kind("Bitwarden, passphrase: three words and a digit", most, COUNT, |rng| {
            let mut words: Vec<String> =
                (0..3).map(|_| passphrase(rng, &eff, 1, "", true)).collect();
            let with_digit = rng.usize(..3);
            words[with_digit].push(rng.digit(10));
            words.join("-")
        }),
        // Three groups of six letters: consonant, vowel, consonant, twice. One capital and one digit.
        kind("Apple, strong password", most, COUNT, |rng| {
            let consonants = "b c d f g h j k m n p q r s t v w x z";
            let syllable = |rng: &mut Rng| {
                let vowel = one(rng, "a e i o u y").to_owned();
                format!("{}{vowel}{}", one(rng, consonants), one(rng, consonants))
            };
            let groups = [(); 3].map(|()| syllable(rng) + &syllable(rng));
            let mut characters: Vec<char> = groups.join("-").chars().collect();
            let ends = [5, 7, 12, 14, 19];
            characters[pick(rng, &ends)] = rng.digit(10);
            let large = iter::repeat_with(|| rng.usize(..characters.len()));
            let large =
                large.take(1_000).find(|at| characters[*at].is_ascii_lowercase()).unwrap_or(0);
            characters[large].make_ascii_uppercase();
            characters.into_iter().collect()
        }),
        kind("Chrome: 15 letters and digits", most, COUNT, |rng| {
            let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
            random(rng, letters, 15)
        }),
        kind("KeePass: 128 bits in hexadecimal", most, COUNT, |rng| {
            random(rng, b"0123456789abcdef", 32)
        }),
        kind("random: 14 lower-case letters and digits", most, COUNT, |rng| {
            random(rng, LOWER_DIGITS, 14)
        }),
        kind("random: 20 digits", most, COUNT, |rng| random(rng, b"0123456789", 20)),
        kind("random: 12 of all classes", most, COUNT, |rng| random(rng, &all, 12)),
        kind("random: 16 of all classes", most, COUNT, |rng| random(rng, &all, 16)),
    ];
    for (language, list) in DICEWARE {
        let list: Vec<&str> = list.lines().collect();
        kinds.push(kind(format!("diceware: four words, {language}"), most, COUNT, |rng| {
            let separator = pick(rng, &["", " ", "-"]);
            let capitals = rng.bool();
            passphrase(rng, &list, 4, separator, capitals)
        }));
    }
    kinds
}
