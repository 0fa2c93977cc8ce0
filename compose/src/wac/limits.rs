//! Limits on nesting and types of a WAC text, against exhaustion of stack and time.

use std::collections::HashMap;

use wac_parser::lexer::{Lexer, Token};

use super::WacError;
use super::source::Source;

/// Maximum nesting depth of brackets of any kind; the recursive parser has stack for far
/// more.
const MAX_DEPTH: usize = 64;

/// Maximum number of type declarations: each can refer to the previous one, and encoding
/// recurses to the first.
const MAX_TYPES: usize = 1_000;

/// Maximum number of types that a type consists of, nested ones counted per use: that of
/// the component validator.
const MAX_SIZE: u32 = 1_000_000;

/// Checks the limits before parsing, because the parser recurses for each bracket.
pub(super) fn check(source: &Source<'_>) -> Result<(), WacError> {
    // The parser reports the same error.
    let Ok(lexer) = Lexer::new(source.text) else {
        return Ok(());
    };
    let mut depth = 0_usize;
    let mut types = 0_usize;
    let mut sizes = Sizes::default();
    for (token, span) in lexer {
        let text = &source.text[span.offset()..span.offset() + span.len()];
        match token {
            Ok(Token::OpenBrace | Token::OpenParen | Token::OpenBracket | Token::OpenAngle) => {
                depth += 1;
            }
            Ok(Token::CloseBrace | Token::CloseParen | Token::CloseBracket | Token::CloseAngle) => {
                depth = depth.saturating_sub(1);
            }
            Ok(
                Token::TypeKeyword
                | Token::RecordKeyword
                | Token::VariantKeyword
                | Token::InterfaceKeyword
                | Token::WorldKeyword,
            ) => types += 1,
            _ => {}
        }
        if let Ok(token) = token {
            sizes.read(token, text, depth);
        }
        let message = if depth > MAX_DEPTH {
            format!("brackets are nested more than {MAX_DEPTH} levels deep")
        } else if types > MAX_TYPES {
            format!("more than {MAX_TYPES} types are declared")
        } else if sizes.largest > MAX_SIZE {
            format!("this type consists of more than {MAX_SIZE} types")
        } else {
            continue;
        };
        return Err(WacError::Text {
            excerpt: source.at(span.offset(), span.len(), &message),
        });
    }
    Ok(())
}

/// The sizes of the declared types, computed from tokens: the size of a type is the sum of
/// the sizes of all types that its declaration names.
#[derive(Default)]
struct Sizes<'s> {
    by_name: HashMap<&'s str, u32>,
    /// Whether the last token was the keyword of a declaration.
    is_name_next: bool,
    declared: Option<Declaration<'s>>,
    largest: u32,
}

struct Declaration<'s> {
    name: &'s str,
    size: u32,
    /// Bracket depth at its start.
    depth: usize,
}

impl<'s> Sizes<'s> {
    /// Reads the next token; `depth` is the bracket depth after it.
    fn read(&mut self, token: Token, text: &'s str, depth: usize) {
        match token {
            Token::TypeKeyword | Token::RecordKeyword | Token::VariantKeyword => {
                self.is_name_next = true;
                return;
            }
            Token::Ident if self.is_name_next => {
                self.declared = Some(Declaration {
                    name: text,
                    size: 1,
                    depth,
                });
            }
            Token::Ident => {
                if let Some(declared) = &mut self.declared {
                    let size = self.by_name.get(text).copied().unwrap_or(0);
                    declared.size = declared.size.saturating_add(size);
                    self.largest = self.largest.max(declared.size);
                }
            }
            Token::Semicolon | Token::CloseBrace => {
                let ended = self.declared.take_if(|declared| depth <= declared.depth);
                if let Some(Declaration { name, size, .. }) = ended {
                    self.by_name.insert(name, size);
                }
            }
            _ => {}
        }
        self.is_name_next = false;
    }
}
